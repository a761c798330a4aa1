// Baseline: what is accepted, as class-validator decorators.
import { Type } from 'class-transformer';
import { IsEmail, IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { PartialType } from '@nestjs/swagger';

export class ListContactsDto {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  page: number = 1;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit: number = 25;

  @IsOptional()
  @IsString()
  company_id?: string;

  @IsOptional()
  @IsString()
  type?: string;

  @IsOptional()
  @IsString()
  source?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  search?: string;
}

export class CreateContactDto {
  @IsEmail()
  email: string;

  @IsOptional()
  @Matches(/^co_[a-z0-9]{1,32}$/)
  company_id?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  first_name?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  last_name?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  title?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  department?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  phone?: string;

  @IsOptional()
  @Matches(/^[a-z0-9][a-z0-9_-]{0,63}$/)
  contact_type?: string;

  @IsOptional()
  @IsString()
  @MaxLength(100)
  source?: string;

  @IsOptional()
  @IsString()
  @MaxLength(100)
  pipeline_stage?: string;

  @IsOptional()
  @IsString()
  @MaxLength(2000)
  tags?: string;
}

export class UpdateContactDto extends PartialType(CreateContactDto) {}
